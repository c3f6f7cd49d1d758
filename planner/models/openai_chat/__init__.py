"""Send prompts to any endpoint with the Chat Completions API; the only package that uses the `openai` SDK.

`chat.OpenAIChat` answers prompts and `endpoint.resolve_endpoint` finds the address and the key. Importing either is
cheap, since the SDK is imported when the first client is opened.
"""
