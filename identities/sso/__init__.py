"""Staff sign on at the company's identity provider (OpenID Connect Core 1.0, authorization code with PKCE).

It says who somebody is and which groups they are in. What a group may do is said here, and the second factor stays
ours. The signature, the claims and every connection are the work of `identities.oauth`, which reads tokens of others
already: the client libraries of the Django world leave out checks of issuer and audience, or of the nonce, and connect
past the guard of `agentops.outgoing`.
"""
