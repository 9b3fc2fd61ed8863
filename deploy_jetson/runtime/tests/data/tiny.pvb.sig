{
 "digest": "5e22f7e741c05db60c69763e7847622c28f26399d6a2961458e2501d598e81af",
 "key_id": "key-139e3940e64b5491722088d9a0d74162",
 "name": "tiny",
 "schema": 1,
 "serial": 7,
 "signature": "2flsVvIens5NNi+UxGxF7216C3p2OlHUAL9HEYmAAQwmNoBAJK/9Snk1M0dPbCr8lQQKi38nnzL1jEsuOvIzBw=="
}
