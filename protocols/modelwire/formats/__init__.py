"""General formats: compressed bodies, cookies, dates, and what a browser exports."""
