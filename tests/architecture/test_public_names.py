"""What `batuta.sdk` and `batuta.testing` promise to keep (spec 09 §3): a change of these lists is a change of the promise."""

import batuta.sdk
import batuta.testing

SDK = """
    Condition ControlTask Definition Lazy Outcome Output Placement Plugin PluginError Property PropertyError Registry
    RunContext Task TaskError TaskRunner Trigger
"""
TESTING = "FakeClock FlowRun FlowTimeoutError SeededIds run_flow"


def test_the_names_of_the_sdk_stay() -> None:
    assert sorted(batuta.sdk.__all__) == SDK.split()


def test_the_names_of_the_test_kit_stay() -> None:
    assert sorted(batuta.testing.__all__) == TESTING.split()


def test_the_names_exist() -> None:
    for module in (batuta.sdk, batuta.testing):
        assert [name for name in module.__all__ if not hasattr(module, name)] == []
