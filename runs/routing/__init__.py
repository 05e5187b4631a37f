"""To which model of which provider a call goes, and through which breaker."""
