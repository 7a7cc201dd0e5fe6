"""The agent at the door: sensors, policy, controllers, journal."""
