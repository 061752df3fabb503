-- The children of an execution are read in the order of their ids, some at a time: a Loop may have a million.
DROP INDEX execution_link;
CREATE INDEX execution_link ON execution (link_execution_id, id) WHERE link_execution_id IS NOT NULL;
