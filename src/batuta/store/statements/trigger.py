"""States of triggers, and the fire times that were used."""

from sqlalchemy import bindparam, delete, select

from batuta.store.query import TRIGGER_FIELDS
from batuta.store.schema import fire, trigger
from batuta.store.statements.build import (
    SearchRows,
    equals,
    insert_rows,
    limited,
    put_rows,
)

_FLOW = ("tenant", "namespace", "flow_id")
_KEY = (*_FLOW, "trigger_id")

trigger_put = put_rows(trigger)
trigger_get = select(trigger).where(equals(trigger, *_KEY))
trigger_of_flow = select(trigger).where(equals(trigger, *_FLOW)).order_by(trigger.c.trigger_id)
trigger_due = limited(
    select(trigger)
    .where(trigger.c.next_date <= bindparam("until"), trigger.c.disabled == 0)
    .order_by(trigger.c.next_date, *[trigger.c[name] for name in _KEY])
)
trigger_next = (
    select(trigger.c.next_date)
    .where(trigger.c.next_date.is_not(None), trigger.c.disabled == 0)
    .order_by(trigger.c.next_date)
    .limit(1)
)
trigger_search = SearchRows(
    table=trigger,
    columns=list(trigger.columns),
    fields=TRIGGER_FIELDS,
    key=[trigger.c[name] for name in ("namespace", "flow_id", "trigger_id", "tenant")],
    order=[trigger.c[name] for name in ("namespace", "flow_id", "trigger_id", "tenant")],
    words={"q": [trigger.c.namespace, trigger.c.flow_id, trigger.c.trigger_id]},
)
trigger_delete = delete(trigger).where(equals(trigger, *_KEY))
fire_insert = insert_rows(fire)
fire_purge = delete(fire).where(fire.c.time < bindparam("before"))
