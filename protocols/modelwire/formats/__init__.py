"""General formats: compressed bodies, cookies, dates, and a browser's exports."""
