#!/bin/sh
# Makes the namespace and registers the search attributes, which must be there before a worker starts.
# Safe to run again. Reads TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, RETENTION and SEARCH_ATTRIBUTES (names, all Keyword).
set -eu

if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" > /dev/null 2>&1; then
  temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi

# A new namespace is seen by the server's other parts after a moment.
attempts=60
until known="$(temporal operator search-attribute list --namespace "$TEMPORAL_NAMESPACE" --output json)"; do
  attempts=$((attempts - 1))
  if [ "$attempts" -eq 0 ]; then
    echo "namespace $TEMPORAL_NAMESPACE does not answer" >&2
    exit 1
  fi
  sleep 1
done

for name in $SEARCH_ATTRIBUTES; do
  case "$known" in
    *"\"$name\""*) ;;
    *) temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" --name "$name" --type Keyword ;;
  esac
done
