build();
