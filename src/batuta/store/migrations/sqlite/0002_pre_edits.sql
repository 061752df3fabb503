-- Changes of an execution that build on rows which an order has edited meanwhile are refused.
ALTER TABLE execution ADD COLUMN edits INTEGER DEFAULT 0 NOT NULL;
