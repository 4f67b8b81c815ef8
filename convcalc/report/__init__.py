"""Reports and how they are shown; every glyph and unit lives here."""
