-- From where on a turn made stored figures anew, by workspace ('*': every one), so that readers know what still stands.
ALTER TABLE rollup_state ADD COLUMN remade Map(String, UInt32) DEFAULT map('*', 0);
