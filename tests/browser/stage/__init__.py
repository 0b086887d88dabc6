"""What the stories in the browser share: browsers, security keys, a look at every page, and a person who clicks."""
