"""Text that goes on from a prompt, and training on texts, prompts with completions, and chats."""
