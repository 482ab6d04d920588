-- The last entry of the audit log that was known to be on the disk: the log lies beside
-- this database, and a tail that was cut off there is still known here.
CREATE TABLE audit_head (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    n    INTEGER NOT NULL,
    hash TEXT NOT NULL
) STRICT;
