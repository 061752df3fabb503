"""Task types of `io.kestra.plugin.core`: which type is which class. Nothing is imported before a type is used."""

CATALOGUE = "batuta.plugins._generated.catalogue"

_FLOW = "batuta.plugins.core.flow"

TYPES = {
    "io.kestra.plugin.core.flow.AllowFailure": f"{_FLOW}.sequence:AllowFailure",
    "io.kestra.plugin.core.flow.Dag": f"{_FLOW}.dag:Dag",
    "io.kestra.plugin.core.flow.EachParallel": f"{_FLOW}.each:EachParallel",
    "io.kestra.plugin.core.flow.EachSequential": f"{_FLOW}.each:EachSequential",
    "io.kestra.plugin.core.flow.ForEach": f"{_FLOW}.each:ForEach",
    "io.kestra.plugin.core.flow.ForEachItem": f"{_FLOW}.for_each_item:ForEachItem",
    "io.kestra.plugin.core.flow.ForEachItem$ForEachItemMergeOutputs": f"{_FLOW}.for_each_item_parts:MergeOutputs",
    "io.kestra.plugin.core.flow.ForEachItem$ForEachItemSplit": f"{_FLOW}.for_each_item_parts:SplitItems",
    "io.kestra.plugin.core.flow.If": f"{_FLOW}.choice:If",
    "io.kestra.plugin.core.flow.LoopUntil": f"{_FLOW}.loop_until:LoopUntil",
    "io.kestra.plugin.core.flow.Parallel": f"{_FLOW}.sequence:Parallel",
    "io.kestra.plugin.core.flow.Pause": f"{_FLOW}.pause:Pause",
    "io.kestra.plugin.core.flow.Sequential": f"{_FLOW}.sequence:Sequential",
    "io.kestra.plugin.core.flow.Subflow": f"{_FLOW}.subflow:Subflow",
    "io.kestra.plugin.core.flow.Switch": f"{_FLOW}.choice:Switch",
    "io.kestra.plugin.core.flow.Template": f"{_FLOW}.template:Template",
    "io.kestra.plugin.core.flow.WorkingDirectory": f"{_FLOW}.working_directory:WorkingDirectory",
    "io.kestra.plugin.core.trigger.Flow": "batuta.plugins.core.trigger.flow:Flow",
    "io.kestra.plugin.core.trigger.Webhook": "batuta.plugins.core.trigger.webhook:Webhook",
}

_OLD_FLOW = "io.kestra.core.tasks.flows"
_NEW_FLOW = "io.kestra.plugin.core.flow"

ALIASES = {
    **{
        f"{_OLD_FLOW}.{name}": f"{_NEW_FLOW}.{name}"
        for name in (
            "AllowFailure",
            "Dag",
            "EachParallel",
            "EachSequential",
            "ForEachItem",
            "If",
            "Parallel",
            "Pause",
            "Sequential",
            "Subflow",
            "Switch",
            "Template",
            "WorkingDirectory",
        )
    },
    f"{_OLD_FLOW}.Flow": f"{_NEW_FLOW}.Subflow",
    f"{_OLD_FLOW}.Worker": f"{_NEW_FLOW}.WorkingDirectory",
    f"{_NEW_FLOW}.Flow": f"{_NEW_FLOW}.Subflow",
    f"{_NEW_FLOW}.WaitFor": f"{_NEW_FLOW}.LoopUntil",
    "io.kestra.core.models.triggers.types.Flow": "io.kestra.plugin.core.trigger.Flow",
    "io.kestra.core.models.triggers.types.Webhook": "io.kestra.plugin.core.trigger.Webhook",
}
