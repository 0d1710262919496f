"""What a measurement is: the record, its vocabulary, its KPIs and its errors. No I/O and no clock."""
