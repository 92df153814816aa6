"""How long the head of a Ray may be silent before it counts as lost, and what silence is."""

import errno
import socket
from threading import Event
from unittest.mock import patch

import pytest

from gmm_study.orchestration import head_watch
from gmm_study.orchestration.head_watch import LOST_AFTER, is_silent, wait_for_loss

RAY_ENDS_THE_DRIVER_AFTER = 60.0


class Clock:
    """Time that passes only while something waits."""

    now = 0.0

    def sleep(self, seconds):
        self.now += seconds
        return False


@pytest.fixture
def clock():
    clock = Clock()
    with patch.object(head_watch, "monotonic", lambda: clock.now):
        yield clock


@pytest.fixture
def over(clock):
    event = Event()
    with patch.object(event, "wait", clock.sleep):
        yield event


def test_a_head_whose_packets_are_dropped_is_lost_before_ray_ends_the_driver(clock, over):
    def touch(head):
        clock.sleep(5.0)
        raise TimeoutError

    with patch.object(head_watch, "touch", touch):
        assert wait_for_loss("head:1", LOST_AFTER, over)
    assert LOST_AFTER <= clock.now < RAY_ENDS_THE_DRIVER_AFTER


def test_a_check_that_takes_long_decides_nothing_alone(clock, over):
    answers = iter([TimeoutError(), None] * 50)

    def touch(head):
        clock.sleep(5.0)
        if (answer := next(answers, KeyboardInterrupt())) is not None:
            raise answer

    with patch.object(head_watch, "touch", touch), pytest.raises(KeyboardInterrupt):
        wait_for_loss("head:1", 4.0, over)


def test_a_head_that_answers_again_is_not_lost(clock, over):
    answers = iter([ConnectionRefusedError(), None] * 50)

    def touch(head):
        if (answer := next(answers, KeyboardInterrupt())) is not None:
            raise answer

    with patch.object(head_watch, "touch", touch), pytest.raises(KeyboardInterrupt):
        wait_for_loss("head:1", 4.0, over)
    assert clock.now > 100


@pytest.mark.parametrize(
    ("error", "silent"),
    [
        (TimeoutError(), True),
        (OSError(errno.EHOSTUNREACH, "No route to host"), True),
        (OSError(errno.EMFILE, "Too many open files"), False),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address"), False),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), False),
    ],
)
def test_an_error_of_this_machine_says_nothing_about_the_head(error, silent):
    with patch.object(head_watch, "touch", side_effect=error):
        assert is_silent("head:1") == silent


def test_a_port_at_which_nothing_listens_any_more_is_silent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        head = f"127.0.0.1:{server.getsockname()[1]}"
        assert not is_silent(head)
    assert is_silent(head)
