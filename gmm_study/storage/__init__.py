"""Files in a folder of this machine or in a bucket, and which process may write them."""
