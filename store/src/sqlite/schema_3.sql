-- Version 3: batches of a tenant are found by a label, or by how far they are, without a look at all that it has.

ALTER TABLE label ADD COLUMN tenant TEXT NOT NULL DEFAULT '';
UPDATE label SET tenant = COALESCE((SELECT tenant FROM batch WHERE batch.number = label.batch), '');
CREATE INDEX label_value ON label (tenant, name, value, batch);
CREATE INDEX batch_tenant_state ON batch (tenant, state, number);
