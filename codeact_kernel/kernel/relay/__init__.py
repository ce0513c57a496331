"""Between clients and the sandbox: requests inward, what comes of them outward, checked on the way."""
