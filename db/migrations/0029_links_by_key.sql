-- Nothing asks by it. It begins as the key does, so that a page of links was looked for in all of the repository's.
DROP INDEX "pull_request_commits_of_commit";
