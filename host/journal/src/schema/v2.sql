-- Earlier states, far apart: from them the past can be replayed. A start needs
-- only the last one, in `snapshot`.
CREATE TABLE checkpoints (
    seq   INTEGER PRIMARY KEY,
    at_ms INTEGER NOT NULL,
    body  TEXT NOT NULL
) STRICT;
