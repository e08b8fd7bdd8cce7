"""The API of AWS as moto serves it: a process of its own on a free port of the loopback, with state."""

from __future__ import annotations

import functools
import itertools
import json
import math
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
from failing_proxy import FailingProxy, Fault, answer, drop_answer, rewrite

from e2e_ansible.deadline import Deadline

__all__ = [
    "LOOK",
    "RUN",
    "FakeAws",
    "accepted",
    "moto_server",
    "on_loopback",
    "refusal",
    "reset",
    "served",
    "settings",
]

RUN = "Action=RunInstances"
LOOK = "Action=DescribeInstances&"
POWER = ("StartInstances", "StopInstances", "RebootInstances", "SendDiagnosticInterrupt")
_ADDRESS = re.compile(rb">\d+\.(\d+\.\d+\.\d+)<")
#: What is there to make machines of: the newest one is the second.
IMAGES = [
    ("ami-0d0000000000000a1", "debian-12-amd64-20260101-1", "2026-01-01T00:00:00.000Z"),
    ("ami-0d0000000000000a3", "debian-12-amd64-20260301-3", "2026-03-01T00:00:00.000Z"),
    ("ami-0d0000000000000a2", "debian-12-amd64-20260201-2", "2026-02-01T00:00:00.000Z"),
]
_START_SECONDS = 60
_END_SECONDS = 10


@contextmanager
def moto_server(log: Path) -> Iterator[str]:
    """The address of a server that ends with the `with`."""
    port = _free_port()
    images = log.with_suffix(".images.json")
    images.write_text(json.dumps([_image(*each) for each in IMAGES]))
    environment = {**os.environ, **settings(""), "MOTO_AMIS_PATH": str(images)}
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    try:
        answers = Deadline(_START_SECONDS).wait_for(
            lambda: process.poll() is not None or _listens(port), interval=0.1
        )
        assert answers, f"moto does not answer after {_START_SECONDS} s"
        assert process.poll() is None, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def settings(url: str) -> Mapping[str, str]:
    """Variables with which boto3 and everything over it talks to `url`, and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
        "AWS_SECRET_ACCESS_KEY": "a-secret-that-is-nowhere-shown",
        "AWS_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def reset(url: str) -> None:
    """Forget everything that was made there."""
    request = urllib.request.Request(f"{url}/moto-api/reset", method="POST")
    with urllib.request.urlopen(request, timeout=_START_SECONDS) as answer:
        answer.read()


def _image(name: str, title: str, created: str) -> dict[str, Any]:
    return {
        "ami_id": name,
        "name": title,
        "owner_id": "136693071363",
        "creation_date": created,
        "root_device_name": "/dev/xvda",
        "root_device_type": "ebs",
        "architecture": "x86_64",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "image_type": "machine",
        "state": "available",
        "public": True,
        "description": "",
        "image_location": title,
        "platform": None,
        "sriov": "simple",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class FakeAws:
    """moto behind a proxy that makes the troubles which moto cannot make. See `tests.clouds.cases.Fake`."""

    def __init__(self, url: str, proxy: FailingProxy) -> None:
        self.proxy = proxy
        self.url = proxy.url
        self.ec2 = _client(url)

    def instances(self) -> list[dict[str, Any]]:
        """All that were ever made, oldest first."""
        told = self.ec2.describe_instances()["Reservations"]
        return [instance for reservation in told for instance in reservation["Instances"]]

    def living(self) -> list[dict[str, Any]]:
        """Those that are not terminated, oldest first."""
        return [each for each in self.instances() if each["State"]["Name"] != "terminated"]

    def made(self) -> list[str]:
        return [_name(each) for each in self.instances()]

    def machines(self) -> list[str]:
        return [_name(each) for each in self.living()]

    def zones(self) -> list[str]:
        return [each["Placement"]["AvailabilityZone"] for each in self.living()]

    def left(self) -> list[str]:
        volumes = self.ec2.describe_volumes()["Volumes"]
        interfaces = self.ec2.describe_network_interfaces()["NetworkInterfaces"]
        return [
            *(each["VolumeId"] for each in volumes),
            *(each["NetworkInterfaceId"] for each in interfaces),
        ]

    def acts(self) -> list[str]:
        return [act for request in self.proxy.requests() if (act := _act(parse_qs(request.body.decode())))]

    def fail(self, status: int, times: int) -> None:
        """In turn with the words of the API, and with what something between us and it may say."""
        words = [refusal(status, "RequestLimitExceeded"), answer(status, "<html>busy</html>")]
        for fault in itertools.islice(itertools.cycle(words), times):
            self.proxy.fail("", fault)

    def lack(self, create: int) -> None:
        self.proxy.fail(RUN, refusal(500, "InsufficientInstanceCapacity"), after=create - 1)

    def allow(self, machines: int) -> None:
        """The quota is in vCPUs, of which a machine of the usual size has two."""
        told = json.dumps({"Quota": {"QuotaCode": "L-1216C47A", "Value": machines * 2.0}})
        self.proxy.fail("GetServiceQuota", answer(200, told), times=math.inf)

    def lose_answer(self) -> None:
        self.proxy.fail(RUN, drop_answer)

    def never_start(self) -> None:
        self.proxy.fail(LOOK, rewrite("<name>running</name>", "<name>pending</name>"), times=math.inf)

    def never_act(self) -> None:
        self.proxy.fail("Action=StopInstances", accepted("StopInstances"), times=math.inf)

    def forbid(self) -> None:
        self.proxy.fail("", refusal(401, "AuthFailure"), times=math.inf)

    def retag(self, machine: str, old: str, new: str) -> None:
        (instance,) = [each for each in self.living() if _name(each) == machine]
        (value,) = [tag["Value"] for tag in instance["Tags"] if tag["Key"] == old]
        ids = [instance["InstanceId"]]
        self.ec2.delete_tags(Resources=ids, Tags=[{"Key": old}])
        self.ec2.create_tags(Resources=ids, Tags=[{"Key": new, "Value": value}])


@functools.cache
def _client(url: str) -> Any:
    keys = settings(url)
    return boto3.client(
        "ec2",
        endpoint_url=url,
        region_name=keys["AWS_REGION"],
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
    )


@contextmanager
def served(url: str) -> Iterator[FakeAws]:
    """A proxy before an empty moto."""
    reset(url)
    with FailingProxy(url, translate=on_loopback) as proxy:
        yield FakeAws(url, proxy)


def on_loopback(body: bytes) -> bytes:
    """The addresses that moto gives its machines belong to somebody; nothing of a test may ever go there."""
    return _ADDRESS.sub(rb">127.\1<", body)


def refusal(status: int, code: str, message: str = "told by the test") -> Fault:
    """An error as EC2 tells it."""
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return answer(status, f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>")


def accepted(action: str) -> Fault:
    """A call is answered as if it was done, and nothing is done."""
    return answer(200, f"<{action}Response><return>true</return></{action}Response>")


def _name(instance: Mapping[str, Any]) -> str:
    return next((tag["Value"] for tag in instance.get("Tags", ()) if tag["Key"] == "Name"), "")


def _act(parameters: Mapping[str, list[str]]) -> str:
    """An operation of power, with what makes it a hard one; '' for any other call."""
    (action,) = parameters.get("Action", [""])
    hard = [word for word in ("Force", "SkipOsShutdown") if parameters.get(word) == ["true"]]
    return " ".join([action, *hard]) if action in POWER else ""
