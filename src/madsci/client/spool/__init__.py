"""Where events wait for the server: files that survive the process. Knows no HTTP and no sender."""
