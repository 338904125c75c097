"""Clients: what a call to a language model is, and the client that makes it over the network.

A `Request` comes in from a module call or from a proposal. A `Reply` goes out, or an error of the
package; wrappers around a client keep to the same contract.
"""
