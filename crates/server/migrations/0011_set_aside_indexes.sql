-- An index for each state, so that groups of the open records are counted from their own index alone, whatever the
-- database knows of how many records there are.

DROP INDEX set_aside_by_state;
CREATE INDEX set_aside_open ON set_aside (id) WHERE state = 'open';
CREATE INDEX set_aside_replayed ON set_aside (id) WHERE state = 'replayed';
CREATE INDEX set_aside_discarded ON set_aside (id) WHERE state = 'discarded';

DROP INDEX set_aside_by_group;
CREATE INDEX set_aside_by_group ON set_aside (group_id, id, received_at, peer, state) WHERE state = 'open';
