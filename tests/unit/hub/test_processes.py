"""A reserved port is nobody else's until it is given back, however often its server comes and goes."""

import errno
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hub.processes import free_port, release_port
from tests.guards import HANGS

IP_LOCAL_PORT_RANGE = 51
"""Linux 6.3 and newer: the ports that the kernel may choose for one socket."""

TAKES = "import socket, sys; socket.socket().bind(('127.0.0.1', int(sys.argv[1])))"


@pytest.fixture
def reserved() -> Iterator[int]:
    port = free_port()
    yield port
    release_port(port)


@pytest.fixture
def picky(reserved: int) -> Iterator[socket.socket]:
    """A socket for which the kernel can choose the reserved port, and no other."""
    with socket.socket() as made:
        try:
            made.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=HH", reserved, reserved))
        except OSError as error:
            if error.errno != errno.ENOPROTOOPT:
                raise
            pytest.skip("this kernel chooses from one range of ports for all sockets")
        yield made


def test_a_server_may_come_and_go_on_its_port(reserved: int) -> None:
    for _ in range(3):
        with socket.create_server(("127.0.0.1", reserved)), socket.create_connection(("127.0.0.1", reserved), 5):
            pass
        with socket.socket() as caller:
            assert caller.connect_ex(("127.0.0.1", reserved)) == errno.ECONNREFUSED
    with socket.create_server(("::1", reserved), family=socket.AF_INET6) if socket.has_ipv6 else socket.socket():
        pass


def takes(port: int) -> subprocess.CompletedProcess[str]:
    """Another process binds the port, as a server without SO_REUSEADDR does, or another reservation."""
    command = [sys.executable, "-c", TAKES, str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS, check=False)


def test_another_process_does_not_get_it(reserved: int) -> None:
    assert "Address already in use" in takes(reserved).stderr


def test_a_released_port_can_be_had_by_others() -> None:
    ports = [free_port() for _ in range(3)]
    for port in ports:
        release_port(port)
    assert any(takes(port).returncode == 0 for port in ports), "not one, even if others were quicker with some"


@pytest.mark.parametrize("reuse", [0, 1])
def test_the_kernel_gives_it_to_no_other_server(picky: socket.socket, reuse: int) -> None:
    picky.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
    with pytest.raises(OSError, match="in use") as refused:
        picky.bind(("127.0.0.1", 0))
    assert refused.value.errno == errno.EADDRINUSE


def test_the_kernel_gives_it_to_no_outgoing_connection(picky: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert picky.connect_ex(server.getsockname()) == errno.EADDRNOTAVAIL
