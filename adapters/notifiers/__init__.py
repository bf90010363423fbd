"""Who is told: one file a service. Each turns an alert into one request, and reads what the answer means."""
