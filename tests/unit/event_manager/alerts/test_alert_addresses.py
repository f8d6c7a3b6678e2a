"""Addresses that are not of the public internet are known in every form in which they are written."""

from __future__ import annotations

import socket

import pytest

from madsci.event_manager.alerts.addresses import is_private, system_addresses


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.2.1", "198.18.0.1",
        "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "febf::1", "fc00::1", "fd00:ec2::254", "fec0::1",
        "ff02::1", "2001:db8::1", "100::1", "2001::1", "64:ff9b:1::808:808",
    ],
)  # fmt: skip
def test_what_is_not_of_the_public_internet_is_private(address):
    assert is_private(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::200e"]
)
def test_addresses_of_the_public_internet_are_not_private(address):
    assert not is_private(address)


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1"]
)
@pytest.mark.parametrize("form", ["::ffff:{text}", "64:ff9b::{text}", "2002:{first:04x}:{last:04x}::1"])
def test_an_ipv6_address_that_holds_a_private_ipv4_address_is_private(form, inner):
    number = int.from_bytes(socket.inet_aton(inner), "big")
    assert is_private(form.format(text=inner, first=number >> 16, last=number & 0xFFFF))


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::1"])
def test_an_ipv6_address_that_holds_a_public_ipv4_address_is_judged_by_it(address):
    assert not is_private(address)


@pytest.mark.parametrize("address", ["::127.0.0.1", "::ffff:0:127.0.0.1"])
def test_forgotten_forms_of_ipv4_in_ipv6_are_private(address):
    assert is_private(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "2130706433", "0x7f.1", "8.8.8.8 "])
def test_what_is_no_address_is_not_taken_for_a_public_one(text):
    assert is_private(text)


def test_the_system_is_asked_for_each_address_once():
    addresses = system_addresses("127.0.0.1", 80)
    assert addresses == ["127.0.0.1"]


@pytest.mark.parametrize("text", ["127.1", "2130706433", "0x7f000001", "017700000001"])
def test_numbers_that_the_system_takes_for_an_address_come_back_as_that_address(text):
    assert all(is_private(address) for address in system_addresses(text, 80))
