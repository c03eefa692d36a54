"""What people look at: self-contained HTML pages that reach for nothing outside themselves."""
