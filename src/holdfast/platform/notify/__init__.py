"""Messages to people and their tools: channels of a workspace, an outbox that survives a crash, receipts."""
