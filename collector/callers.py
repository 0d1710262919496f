"""Who calls: the address behind trusted proxies, and the identity behind a bearer token."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from starlette.requests import Request

from collector.access import Identity, Role
from collector.replies import Problem
from collector.service import Service

_OPENS = {
    Role.PROBE: {Role.PROBE},
    Role.READER: {Role.READER},
    Role.ADMIN: {Role.PROBE, Role.READER, Role.ADMIN},
}


@lru_cache(4096)
def _is_trusted(address: str, proxies: tuple[str, ...]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(proxy, strict=False) for proxy in proxies)


def address_of(request: Request, service: Service) -> str:
    """Return the caller's address: the last one in X-Forwarded-For that is no trusted proxy of ours."""
    address = request.client.host if request.client else "unknown"
    proxies = tuple(service.deployment.trusted_proxies)
    if not proxies:
        return address
    for hop in reversed(request.headers.get("x-forwarded-for", "").split(",")):
        if not _is_trusted(address, proxies) or not hop.strip():
            break
        address = hop.strip()[:64]
    return address


def identify(request: Request, service: Service, role: Role) -> Identity:
    """Return who calls with at least `role`.

    Raises
    ------
    Problem
        `token-missing`, `token-unknown`, `role-too-low` or `too-many-requests`.
    """
    address = address_of(request, service)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Problem("token-missing")
    identity = service.access.identify(token.strip())
    if identity is None:
        # Only those who fail are slowed: behind one address there may be a whole office.
        wait = service.failures.wait_s(address)
        if wait:
            raise Problem("too-many-requests", "Too many failed attempts.", retry_after_s=wait)
        raise Problem("token-unknown")
    if role not in _OPENS[identity.role]:
        raise Problem("role-too-low", f"{identity.role} is not {role}")
    wait = service.by_address.wait_s(address) or service.by_probe.wait_s(identity.name)
    if wait:
        raise Problem("too-many-requests", retry_after_s=wait)
    return identity
