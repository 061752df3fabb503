"""Who asks: the first argument of every operation."""

import msgspec

MAIN_TENANT = "main"


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """`namespaces` limits what is visible to these and their children; None is no limit."""

    user: str | None = None
    tenant: str = MAIN_TENANT
    namespaces: tuple[str, ...] | None = None

    def may_see(self, namespace: str) -> bool:
        if self.namespaces is None:
            return True
        return any(
            namespace == allowed or namespace.startswith(f"{allowed}.")
            for allowed in self.namespaces
        )


SYSTEM = Caller(user="system")
"""The server itself: roles, schedules, the command line on its own store."""
