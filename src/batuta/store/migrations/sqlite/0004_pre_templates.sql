-- Templates: tasks that flows of other namespaces take over (kestra.templates.enabled).
CREATE TABLE template ( tenant TEXT NOT NULL, namespace TEXT NOT NULL, id TEXT NOT NULL, revision INTEGER NOT NULL, latest INTEGER NOT NULL, disabled INTEGER NOT NULL, deleted INTEGER NOT NULL, updated INTEGER NOT NULL, description TEXT, labels TEXT, data BLOB NOT NULL, source TEXT NOT NULL, PRIMARY KEY (tenant, namespace, id, revision) );
CREATE UNIQUE INDEX template_latest ON template (tenant, namespace, id) WHERE latest = 1;
