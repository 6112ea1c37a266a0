"""Where figures of calls are sent to: other stacks' doors, each with its own form, behind one Protocol (`shelf`)."""
