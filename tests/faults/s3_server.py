"""A server of S3 that asks for a key, and who has one."""

import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import boto3

from tests.workbench import answers, free_port, wait_until

REGION = "us-east-1"
ALL = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
)


class S3Server:
    """Moto's server with a bucket `artifacts`, which one key opens."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self._log = folder / "s3.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdout=log,
                stderr=log,
            )
        wait_until(lambda: answers(self.port))
        self._client("s3").create_bucket(Bucket="artifacts")
        iam = self._client("iam")
        iam.create_user(UserName="tracker")
        iam.put_user_policy(UserName="tracker", PolicyName="all", PolicyDocument=ALL)
        key = iam.create_access_key(UserName="tracker")["AccessKey"]
        self.key, self.secret = key["AccessKeyId"], key["SecretAccessKey"]
        # From now on, every request needs a key that the server knows.
        plain = {"Content-Type": "text/plain"}
        urlopen(Request(f"{self.uri}/moto-api/reset-auth", b"0", plain)).close()

    def environment(self, key: str, secret: str) -> dict[str, str]:
        """The variables by which a user names the server and gives a key."""
        return {
            "AWS_ENDPOINT_URL": self.uri,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
        }

    def asked(self, path: str) -> int:
        """How many requests were about addresses that begin so."""
        return self._log.read_text().count(f" {path}")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def _client(self, service: str):
        return boto3.client(
            service,
            endpoint_url=self.uri,
            region_name=REGION,
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )
