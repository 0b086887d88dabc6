"""What the stories share: a server, clients of it, codes, and a memory of every secret."""
