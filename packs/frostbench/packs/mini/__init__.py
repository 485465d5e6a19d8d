"""The embedded pack `mini`: files, the generator of its scenes, the recipes of its parts."""
