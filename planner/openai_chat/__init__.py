"""Send prompts to any endpoint with the Chat Completions API; the only package that uses the `openai` SDK.

`model.OpenAIChat` answers prompts and `endpoint.resolve` finds the address and the key. Importing either is cheap,
since the SDK is imported when the first client is opened.
"""
