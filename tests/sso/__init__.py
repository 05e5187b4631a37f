"""Staff who sign on at the company's identity provider, a real one on this machine."""
