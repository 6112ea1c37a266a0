"""The process in the path of LLM traffic. Opens no store."""
