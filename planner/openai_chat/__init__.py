"""The wire: Chat Completions at any compatible endpoint; the only room that knows the `openai` SDK.

`model.OpenAIChat` answers prompts, `endpoint.resolve` finds the address and the key; importing either is cheap,
since the SDK is imported when the first client is opened.
"""
