"""From the world to arrays: photos, regions, duplicates, honest splits."""
