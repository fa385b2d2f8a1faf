-- +goose Up

-- What did not become a run is rare, and asked for without a time: among millions that were released a search by due finds one in thousands.
CREATE INDEX occurrences_rare ON occurrences (decision, due, net, schedule, nominal) WHERE decision <> 'released';
