"""What people manage: accounts, events, tokens, actions, alerts, drafts and retention."""
