-- An import's row is stored before its run is asked for. When that is refused, the api marks the row as cancelled.
grant update (state, finished_at) on imports to bucket_brigade_api;
