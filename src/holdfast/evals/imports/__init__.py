"""A shelf of other tools' suites: each is read into ours, and what does not convert is told with its place and why."""
