"""The support desk: from a customer's ticket to a queue and the draft of a reply."""
