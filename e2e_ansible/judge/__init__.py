"""Pure: plan, records and events go in; verdicts and causes come out. Repeatable offline on any run folder."""
