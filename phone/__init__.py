"""The phone house: an installable web app that classifies on the phone and replays the golden examples there."""
