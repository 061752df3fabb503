"""Small documents by key."""

from sqlalchemy import bindparam, delete, select

from batuta.store.schema import setting
from batuta.store.statements.build import Upsert, equals

setting_get = select(setting.c.data).where(equals(setting, "key"))
setting_put = Upsert(setting, ("key", "data"), ["data"])
setting_delete = delete(setting).where(equals(setting, "key"))
setting_keys = (
    select(setting.c.key)
    .where(setting.c.key >= bindparam("from"), setting.c.key < bindparam("below"))
    .order_by(setting.c.key)
)
